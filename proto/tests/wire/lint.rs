//! The rules of `buf lint` (categories STANDARD and COMMENTS) over compiled definitions, since they
//! must hold where no `buf` is installed. Left out is PROTOVALIDATE, of options that are not used.

use crate::names;
use prost_reflect::prost_types::FileOptions;
use prost_reflect::{
    Cardinality, DescriptorPool, EnumDescriptor, EnumValueDescriptor, FieldDescriptor,
    FileDescriptor, Kind, MessageDescriptor, MethodDescriptor, OneofDescriptor, ServiceDescriptor,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A rule that is broken.
#[derive(Debug)]
pub struct Finding {
    /// Name of the rule.
    pub rule: &'static str,
    place: String,
    what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}: {} ({})", self.place, self.what, self.rule)
    }
}

/// All that breaks a rule in files that are not Google's.
pub fn check(pool: &DescriptorPool) -> Vec<Finding> {
    let files = Files(
        pool.files()
            .filter(|f| !f.name().starts_with("google/"))
            .collect(),
    );
    let found = RULES.iter().flat_map(|(rule, check)| {
        check(&files)
            .into_iter()
            .map(|(place, what)| Finding { rule, place, what })
    });
    found.collect()
}

/// Where, and what.
pub type Findings = Vec<(String, String)>;
/// A name, and the check of it.
pub type Rule = (&'static str, fn(&Files) -> Findings);

/// Every rule.
pub const RULES: [Rule; 43] = [
    ("COMMENT_ENUM", |files| commented(files.enums())),
    ("COMMENT_ENUM_VALUE", |files| commented(files.values())),
    ("COMMENT_FIELD", |files| commented(files.fields())),
    ("COMMENT_MESSAGE", |files| commented(files.messages())),
    ("COMMENT_ONEOF", |files| commented(files.oneofs())),
    ("COMMENT_RPC", |files| commented(files.methods())),
    ("COMMENT_SERVICE", |files| commented(files.services())),
    ("DIRECTORY_SAME_PACKAGE", |files| {
        same(
            files,
            |file| directory(file).to_owned(),
            |file| file.package_name().to_owned(),
        )
    }),
    ("ENUM_FIRST_VALUE_ZERO", |files| {
        wrong(files.enums(), |it| {
            let first = it.enum_descriptor_proto().value.first();
            (first.map(|value| value.number()) != Some(0)).then(|| "does not begin with 0".into())
        })
    }),
    ("ENUM_NO_ALLOW_ALIAS", |files| {
        wrong(files.enums(), |it| {
            let options = it.enum_descriptor_proto().options.as_ref();
            (options.is_some_and(|options| options.allow_alias())).then(|| "allows aliases".into())
        })
    }),
    ("ENUM_PASCAL_CASE", |files| {
        spelt(files.enums(), names::is_pascal, "PascalCase")
    }),
    ("ENUM_VALUE_PREFIX", |files| {
        wrong(files.values(), |it| {
            let prefix = format!("{}_", names::to_upper_snake(it.parent_enum().name()));
            (!it.name().starts_with(&prefix)).then(|| format!("does not begin with {prefix}"))
        })
    }),
    ("ENUM_VALUE_UPPER_SNAKE_CASE", |files| {
        spelt(files.values(), names::is_upper_snake, "UPPER_SNAKE_CASE")
    }),
    ("ENUM_ZERO_VALUE_SUFFIX", |files| {
        let zeros = files
            .values()
            .into_iter()
            .filter(|value| value.number() == 0);
        suffixed(zeros, "_UNSPECIFIED")
    }),
    ("FIELD_LOWER_SNAKE_CASE", |files| {
        spelt(files.fields(), names::is_lower_snake, "lower_snake_case")
    }),
    ("FIELD_NOT_REQUIRED", |files| {
        wrong(files.fields(), |it| {
            (it.cardinality() == Cardinality::Required).then(|| "is required".into())
        })
    }),
    ("FILE_LOWER_SNAKE_CASE", |files| {
        wrong_files(files, |file| {
            let name = file.name().rsplit('/').next()?.strip_suffix(".proto")?;
            (!names::is_lower_snake(name)).then(|| "the file's name is not lower_snake_case".into())
        })
    }),
    ("IMPORT_NO_PUBLIC", |files| {
        wrong_files(files, |file| {
            let public = file.public_dependencies().next()?;
            Some(format!("{} is imported publicly", public.name()))
        })
    }),
    ("IMPORT_NO_WEAK", |files| {
        wrong_files(files, |file| {
            let weak = &file.file_descriptor_proto().weak_dependency;
            (!weak.is_empty()).then(|| "a file is imported weakly".into())
        })
    }),
    ("IMPORT_USED", unused_imports),
    ("MESSAGE_PASCAL_CASE", |files| {
        spelt(files.messages(), names::is_pascal, "PascalCase")
    }),
    ("ONEOF_LOWER_SNAKE_CASE", |files| {
        spelt(files.oneofs(), names::is_lower_snake, "lower_snake_case")
    }),
    ("PACKAGE_DEFINED", |files| {
        wrong_files(files, |file| {
            file.package_name()
                .is_empty()
                .then(|| "the file has no package".into())
        })
    }),
    ("PACKAGE_DIRECTORY_MATCH", |files| {
        wrong_files(files, |file| {
            let expected = file.package_name().replace('.', "/");
            (directory(file) != expected).then(|| format!("the file is not in {expected}"))
        })
    }),
    ("PACKAGE_LOWER_SNAKE_CASE", |files| {
        wrong_files(files, |file| {
            let good = file.package_name().split('.').all(names::is_lower_snake);
            (!good && !file.package_name().is_empty())
                .then(|| "the package is not lower_snake.case".into())
        })
    }),
    ("PACKAGE_NO_IMPORT_CYCLE", import_cycles),
    ("PACKAGE_SAME_CSHARP_NAMESPACE", |files| {
        same_option(files, |options| options.csharp_namespace.clone())
    }),
    ("PACKAGE_SAME_DIRECTORY", |files| {
        same(
            files,
            |file| file.package_name().to_owned(),
            |file| directory(file).to_owned(),
        )
    }),
    ("PACKAGE_SAME_GO_PACKAGE", |files| {
        same_option(files, |options| options.go_package.clone())
    }),
    ("PACKAGE_SAME_JAVA_MULTIPLE_FILES", |files| {
        same_option(files, |options| {
            Some(options.java_multiple_files?.to_string())
        })
    }),
    ("PACKAGE_SAME_JAVA_PACKAGE", |files| {
        same_option(files, |options| options.java_package.clone())
    }),
    ("PACKAGE_SAME_PHP_NAMESPACE", |files| {
        same_option(files, |options| options.php_namespace.clone())
    }),
    ("PACKAGE_SAME_RUBY_PACKAGE", |files| {
        same_option(files, |options| options.ruby_package.clone())
    }),
    ("PACKAGE_SAME_SWIFT_PREFIX", |files| {
        same_option(files, |options| options.swift_prefix.clone())
    }),
    ("PACKAGE_VERSION_SUFFIX", |files| {
        wrong_files(files, |file| {
            (!file.package_name().is_empty() && !names::ends_in_version(file.package_name()))
                .then(|| "the package does not end in a version".into())
        })
    }),
    ("RPC_PASCAL_CASE", |files| {
        spelt(files.methods(), names::is_pascal, "PascalCase")
    }),
    ("RPC_REQUEST_RESPONSE_UNIQUE", |files| {
        let mut uses = BTreeMap::<String, u32>::new();
        for method in files.methods() {
            for message in [method.input(), method.output()] {
                *uses.entry(message.full_name().to_owned()).or_default() += 1;
            }
        }
        wrong(files.methods(), |it| {
            let shared = [it.input(), it.output()]
                .into_iter()
                .find(|message| uses.get(message.full_name()).is_some_and(|uses| *uses > 1))?;
            Some(format!("shares {}", shared.full_name()))
        })
    }),
    ("RPC_REQUEST_STANDARD_NAME", |files| {
        wrong(files.methods(), |it| {
            standard_name(it, &it.input(), "Request")
        })
    }),
    ("RPC_RESPONSE_STANDARD_NAME", |files| {
        wrong(files.methods(), |it| {
            standard_name(it, &it.output(), "Response")
        })
    }),
    ("SERVICE_PASCAL_CASE", |files| {
        spelt(files.services(), names::is_pascal, "PascalCase")
    }),
    ("SERVICE_SUFFIX", |files| {
        suffixed(files.services(), "Service")
    }),
    ("STABLE_PACKAGE_NO_IMPORT_UNSTABLE", |files| {
        let unstable = |package: &str| package.contains("alpha") || package.contains("beta");
        wrong_files(files, |file| {
            let import = file
                .dependencies()
                .find(|file| unstable(file.package_name()))?;
            (!unstable(file.package_name())).then(|| format!("imports {}", import.name()))
        })
    }),
    ("SYNTAX_SPECIFIED", |files| {
        wrong_files(files, |file| {
            line(file, &[12])
                .is_none()
                .then(|| "the file does not name its syntax".into())
        })
    }),
];

/// The files that are checked, and what is in them at any depth.
pub struct Files(Vec<FileDescriptor>);

impl Files {
    fn messages(&self) -> Vec<MessageDescriptor> {
        fn below(message: MessageDescriptor) -> Vec<MessageDescriptor> {
            let children = message
                .child_messages()
                .filter(|child| !child.is_map_entry());
            let mut all: Vec<_> = children.flat_map(below).collect();
            all.push(message);
            all
        }
        let top = self.0.iter().flat_map(FileDescriptor::messages);
        top.flat_map(below).collect()
    }

    fn fields(&self) -> Vec<FieldDescriptor> {
        let messages = self.messages();
        messages
            .iter()
            .flat_map(MessageDescriptor::fields)
            .collect()
    }

    fn oneofs(&self) -> Vec<OneofDescriptor> {
        let messages = self.messages();
        let all = messages.iter().flat_map(MessageDescriptor::oneofs);
        all.filter(|oneof| !oneof.is_synthetic()).collect()
    }

    fn enums(&self) -> Vec<EnumDescriptor> {
        let messages = self.messages();
        let nested = messages.iter().flat_map(MessageDescriptor::child_enums);
        let top = self.0.iter().flat_map(FileDescriptor::enums);
        top.chain(nested).collect()
    }

    fn values(&self) -> Vec<EnumValueDescriptor> {
        self.enums()
            .iter()
            .flat_map(EnumDescriptor::values)
            .collect()
    }

    fn services(&self) -> Vec<ServiceDescriptor> {
        self.0.iter().flat_map(FileDescriptor::services).collect()
    }

    fn methods(&self) -> Vec<MethodDescriptor> {
        self.services()
            .iter()
            .flat_map(ServiceDescriptor::methods)
            .collect()
    }
}

/// What has a name, a place and a comment.
trait Named {
    fn short(&self) -> &str;
    fn full(&self) -> &str;
    fn at(&self) -> (FileDescriptor, &[i32]);
}

macro_rules! named {
    ($($descriptor:ty),*) => {$(
        impl Named for $descriptor {
            fn short(&self) -> &str {
                self.name()
            }
            fn full(&self) -> &str {
                self.full_name()
            }
            fn at(&self) -> (FileDescriptor, &[i32]) {
                (self.parent_file(), self.path())
            }
        }
    )*};
}

named!(
    MessageDescriptor,
    FieldDescriptor,
    OneofDescriptor,
    EnumDescriptor,
    EnumValueDescriptor,
    ServiceDescriptor,
    MethodDescriptor
);

/// Each thing about which something can be said against it.
fn wrong<T: Named>(
    things: impl IntoIterator<Item = T>,
    complaint: impl Fn(&T) -> Option<String>,
) -> Findings {
    let found = things.into_iter().filter_map(|thing| {
        let what = complaint(&thing)?;
        let (file, path) = thing.at();
        let line = line(&file, path).map_or_else(String::new, |line| format!(":{line}"));
        Some((
            format!("{}{line}", file.name()),
            format!("{} {what}", thing.full()),
        ))
    });
    found.collect()
}

fn wrong_files(files: &Files, complaint: impl Fn(&FileDescriptor) -> Option<String>) -> Findings {
    let found = |file| Some((FileDescriptor::name(file).to_owned(), complaint(file)?));
    files.0.iter().filter_map(found).collect()
}

fn spelt<T: Named>(
    things: impl IntoIterator<Item = T>,
    good: fn(&str) -> bool,
    shape: &str,
) -> Findings {
    wrong(things, |it| {
        (!good(it.short())).then(|| format!("is not {shape}"))
    })
}

fn suffixed<T: Named>(things: impl IntoIterator<Item = T>, suffix: &str) -> Findings {
    wrong(things, |it| {
        (!it.short().ends_with(suffix)).then(|| format!("does not end in {suffix}"))
    })
}

fn commented<T: Named>(things: impl IntoIterator<Item = T>) -> Findings {
    wrong(things, |it| {
        let (file, path) = it.at();
        let info = file.file_descriptor_proto().source_code_info.as_ref()?;
        let comment = info
            .location
            .iter()
            .find(|location| location.path == path)
            .map_or("", |location| location.leading_comments());
        comment
            .trim()
            .is_empty()
            .then(|| "has no comment above it".into())
    })
}

/// Files of the same `key` must have the same `value`.
fn same(
    files: &Files,
    key: impl Fn(&FileDescriptor) -> String,
    value: impl Fn(&FileDescriptor) -> String,
) -> Findings {
    let mut first = BTreeMap::new();
    for file in &files.0 {
        first.entry(key(file)).or_insert_with(|| value(file));
    }
    wrong_files(files, |file| {
        let (expected, value) = (first.get(&key(file))?, value(file));
        (*expected != value).then(|| format!("has `{value}` where others have `{expected}`"))
    })
}

fn same_option(files: &Files, option: fn(&FileOptions) -> Option<String>) -> Findings {
    same(
        files,
        |file| file.package_name().to_owned(),
        |file| {
            let options = file.file_descriptor_proto().options.as_ref();
            options.and_then(option).unwrap_or_default()
        },
    )
}

fn unused_imports(files: &Files) -> Findings {
    let mut used = BTreeSet::new();
    for field in files.fields() {
        // The values of a map are fields of a message that the compiler made.
        let kind = match field.kind() {
            Kind::Message(entry) if entry.is_map_entry() => entry.map_entry_value_field().kind(),
            kind => kind,
        };
        let other = match kind {
            Kind::Message(message) => message.parent_file(),
            Kind::Enum(it) => it.parent_file(),
            _ => continue,
        };
        used.insert((
            field.parent_file().name().to_owned(),
            other.name().to_owned(),
        ));
    }
    for method in files.methods() {
        for message in [method.input(), method.output()] {
            let (file, other) = (method.parent_file(), message.parent_file());
            used.insert((file.name().to_owned(), other.name().to_owned()));
        }
    }
    wrong_files(files, |file| {
        let is_used = |other: &FileDescriptor| {
            used.contains(&(file.name().to_owned(), other.name().to_owned()))
        };
        let unused = file.dependencies().find(|other| !is_used(other))?;
        Some(format!("{} is imported and not used", unused.name()))
    })
}

fn import_cycles(files: &Files) -> Findings {
    let package = |file: &FileDescriptor| file.package_name().to_owned();
    let mut imports = BTreeMap::<String, BTreeSet<String>>::new();
    for file in &files.0 {
        let others = file.dependencies().map(|other| package(&other));
        let others = others.filter(|other| *other != package(file));
        imports.entry(package(file)).or_default().extend(others);
    }
    wrong_files(files, |file| {
        let mut reached = BTreeSet::new();
        let mut next = vec![package(file)];
        while let Some(from) = next.pop() {
            for to in imports.get(&from).into_iter().flatten() {
                if reached.insert(to.clone()) {
                    next.push(to.clone());
                }
            }
        }
        let cycle = reached.contains(file.package_name());
        cycle.then(|| format!("package {} imports itself through others", package(file)))
    })
}

/// `CreateSweepRequest` for `CreateSweep`, or with the service's name before it.
fn standard_name(
    method: &MethodDescriptor,
    message: &MessageDescriptor,
    suffix: &str,
) -> Option<String> {
    let short = format!("{}{suffix}", names::to_pascal(method.name()));
    let long = format!("{}{short}", method.parent_service().name());
    (message.name() != short && message.name() != long)
        .then(|| format!("has {} where {short} is expected", message.name()))
}

fn directory(file: &FileDescriptor) -> &str {
    file.name()
        .rsplit_once('/')
        .map_or("", |(directory, _)| directory)
}

/// The line on which something begins, from 1.
fn line(file: &FileDescriptor, path: &[i32]) -> Option<i32> {
    let info = file.file_descriptor_proto().source_code_info.as_ref()?;
    let location = info
        .location
        .iter()
        .find(|location| location.path == path)?;
    location.span.first().map(|line| line + 1)
}
