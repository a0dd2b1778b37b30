//! Paths in sweeps lead into the folders that the operator named.

use rangefinder_proto::v1;
use rangefinder_service_tests::calls::{create, mistakes, named, spec, try_create};
use rangefinder_service_tests::{ANN, Service};
use std::fs;
use std::os::unix::fs::symlink;

fn with_data(data: &str) -> v1::CreateSweepRequest {
    v1::CreateSweepRequest {
        validate_only: true,
        spec: Some(v1::SweepSpec {
            data: Some(data.to_owned()),
            ..spec()
        }),
        ..named("file")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_lead_nowhere_else_and_tell_nothing() {
    let builder = Service::builder();
    let root = builder.folder().join("root");
    let secret = builder.folder().join("secret.npz");
    fs::create_dir(&root).unwrap();
    for file in [root.join("there.npz"), secret.clone()] {
        fs::write(file, "x").unwrap();
    }
    symlink(&secret, root.join("link.npz")).unwrap();
    symlink(builder.folder(), root.join("out")).unwrap();
    symlink(root.join("there.npz"), root.join("within.npz")).unwrap();
    let named_root = format!("sets={}", root.display());
    let service = builder.with(&["--data-root", &named_root]).start().await;
    let mut ann = service.sweeps(ANN);

    let whole = root.canonicalize().unwrap().join("there.npz");
    for data in ["sets:there.npz", "sets:within.npz", whole.to_str().unwrap()] {
        let sweep = create(&mut ann, with_data(data)).await;
        assert_eq!(
            sweep.spec.unwrap().data.as_deref(),
            whole.to_str(),
            "{data}"
        );
    }
    let outside = secret.to_str().unwrap();
    let absent = service.folder().join("absent.npz");
    let pairs = [
        // What exists, and what does not.
        ("sets:../secret.npz", "sets:../absent.npz"),
        (outside, absent.to_str().unwrap()),
        ("sets:out/secret.npz", "sets:out/absent.npz"),
        ("/etc/passwd", "/etc/nothing"),
        ("other:there.npz", "other:absent.npz"),
    ];
    for (there, absent) in pairs {
        let mut said = Vec::new();
        for path in [there, absent] {
            let refused = try_create(&mut ann, with_data(path)).await.unwrap_err();
            assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{path}");
            let found = mistakes(&refused);
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!(found[0].0, "spec.data");
            said.push(format!("{found:?}{}", refused.message()).replace(path, "PATH"));
        }
        assert_eq!(said[0], said[1]);
    }
    for path in [
        "sets:link.npz",
        "sets:",
        "sets:.",
        "sets:there.npz\0",
        "sets:*.npz",
    ] {
        let refused = try_create(&mut ann, with_data(path)).await.unwrap_err();
        let found = mistakes(&refused);
        assert_eq!(found[0].0, "spec.data", "{path}");
        let words = format!("{found:?}");
        assert!(!words.contains(outside), "{path}: {words}");
    }
    // Models have roots of their own: there is none.
    let model = v1::CreateSweepRequest {
        spec: Some(v1::SweepSpec {
            model: Some("sets:there.npz".to_owned()),
            ..spec()
        }),
        ..named("file")
    };
    let refused = try_create(&mut ann, model).await.unwrap_err();
    assert_eq!(mistakes(&refused)[0].0, "spec.model");
}
