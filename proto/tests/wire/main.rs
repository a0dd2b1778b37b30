//! The wire keeps its style and its promises.
//!
//! - `compile`: definitions compiled in memory, for tables of bad ones.
//! - `docs_tests`: `docs/api.md` knows every call, and its examples exist.
//! - `lint`: the rules of `buf lint`, categories STANDARD and COMMENTS; `names`: how names are spelt.
//! - `lint_tests`: our definitions keep the rules, and each rule bites.
//! - `released`: the wire as a readable text, and what breaks between two of them.
//! - `released_tests`: nothing of `tests/released.txt` is broken, and each kind of break is named.

mod compile;
mod docs_tests;
mod lint;
mod lint_tests;
mod names;
mod released;
mod released_tests;
