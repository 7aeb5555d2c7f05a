//! Rules: what is loaded from the folders of the rules and the plugins, checked as a whole, and swapped as a whole.

mod file;
pub mod pipeline;
