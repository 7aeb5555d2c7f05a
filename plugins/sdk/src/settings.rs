//! Reading a plugin's rules, with diagnostics that name the offending key.
