//! CSS selectors on a document's elements. (In the making.)

/// A compiled CSS selector.
#[derive(Debug)]
pub struct Selector {}

/// Why a selector does not compile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectorError {
    /// What is wrong.
    pub reason: String,
    /// Where, in bytes.
    pub offset: Option<u32>,
}

impl Selector {
    /// Compiles a selector.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(_source: &str) -> Result<Self, SelectorError> {
        Ok(Self {})
    }
}
