//! Definitions compiled in memory.

#![expect(clippy::unwrap_used, reason = "a helper of tests")]

use prost_reflect::DescriptorPool;
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use std::collections::BTreeMap;

/// The definitions of this crate.
pub fn ours() -> DescriptorPool {
    DescriptorPool::decode(rangefinder_proto::DESCRIPTORS).unwrap()
}

/// These files, by name and text, with all that they import of each other and of Google's.
pub fn files(files: &[(&str, &str)]) -> DescriptorPool {
    let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    let mut resolver = ChainFileResolver::new();
    resolver.add(Texts(files.iter().map(owned).collect()));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    for (name, _) in files {
        compiler.open_file(name).unwrap();
    }
    compiler.descriptor_pool()
}

struct Texts(BTreeMap<String, String>);

impl FileResolver for Texts {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let text = self.0.get(name);
        let text = text.ok_or_else(|| protox::Error::file_not_found(name))?;
        File::from_source(name, text)
    }
}
