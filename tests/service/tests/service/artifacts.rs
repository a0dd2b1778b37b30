//! Models and data that are uploaded.

use rangefinder_proto::v1;
use rangefinder_proto::v1::upload_artifact_request::Message;
use rangefinder_service_tests::calls::{
    self, Authorized, create, mistakes, named, spec, try_create,
};
use rangefinder_service_tests::{ANN, BEN, RACK, ROOT, Service, within};
use ring::digest::{SHA256, digest};
use tonic::{Code, Status};

pub(super) type Artifacts = v1::artifact_service_client::ArtifactServiceClient<Authorized>;

pub(super) fn name_of(content: &[u8]) -> String {
    let hash = digest(&SHA256, content);
    let digits: Vec<_> = hash
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256-{}", digits.concat())
}

pub(super) async fn upload(
    artifacts: &mut Artifacts,
    content: &[u8],
    size_bytes: u64,
) -> Result<(), Status> {
    let header = Message::Header(v1::UploadHeader {
        digest: name_of(content),
        size_bytes,
        offset: 0,
    });
    let chunk = Message::Chunk(content.to_vec());
    let messages = [header, chunk].map(|message| v1::UploadArtifactRequest {
        message: Some(message),
    });
    let call = artifacts.upload_artifact(tokio_stream::iter(messages));
    within("UploadArtifact", call).await.map(drop)
}

async fn download(artifacts: &mut Artifacts, digest: &str) -> Result<Vec<u8>, Status> {
    let request = v1::DownloadArtifactRequest {
        digest: digest.to_owned(),
        offset: 0,
    };
    let mut stream = artifacts.download_artifact(request).await?.into_inner();
    let mut content = Vec::new();
    while let Some(answer) = within("a chunk", stream.message()).await? {
        content.extend(answer.chunk);
    }
    Ok(content)
}

async fn received(artifacts: &mut Artifacts, digest: &str) -> v1::Artifact {
    let digest = digest.to_owned();
    let answer = artifacts
        .get_artifact(v1::GetArtifactRequest { digest })
        .await;
    answer.unwrap().into_inner().artifact.unwrap()
}

pub(super) fn with_data(digest: &str) -> v1::CreateSweepRequest {
    v1::CreateSweepRequest {
        spec: Some(v1::SweepSpec {
            data: Some(format!("artifact:{digest}/train.npz")),
            ..spec()
        }),
        ..named("uploaded")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_is_its_client_s_and_the_workers() {
    let service = Service::start().await;
    let (mut ann, mut ben) = (service.artifacts(ANN), service.artifacts(BEN));
    let content = b"what is trained on";
    let name = name_of(content);
    upload(&mut ann, content, content.len() as u64)
        .await
        .unwrap();
    assert!(received(&mut ann, &name).await.complete);
    // To another it is as if it were not there.
    let nothing = received(&mut ben, &name_of(b"nothing")).await;
    let theirs = received(&mut ben, &name).await;
    assert_eq!(
        theirs,
        v1::Artifact {
            digest: name.clone(),
            ..nothing
        }
    );
    let absent = download(&mut ben, &name_of(b"nothing")).await.unwrap_err();
    let refused = download(&mut ben, &name).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    assert_eq!(
        refused.message().replace(&name, "NAME"),
        absent.message().replace(&name_of(b"nothing"), "NAME")
    );
    for name_of_holder in [ANN, ROOT, RACK] {
        let mut artifacts = service.artifacts(name_of_holder);
        assert_eq!(download(&mut artifacts, &name).await.unwrap(), content);
    }
    let refused = upload(&mut service.artifacts(RACK), content, 18)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);

    // Sweeps name it likewise.
    create(&mut service.sweeps(ANN), with_data(&name)).await;
    let mut said = Vec::new();
    for digest in [&name, &name_of(b"nothing")] {
        let refused = try_create(&mut service.sweeps(BEN), with_data(digest)).await;
        let found = mistakes(&refused.unwrap_err());
        assert_eq!((found.len(), found[0].0.as_str()), (1, "spec.data"));
        said.push(format!("{found:?}").replace(digest.as_str(), "NAME"));
    }
    assert_eq!(said[0], said[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_over_the_limit_is_refused_before_it_is_sent() {
    let service = Service::builder()
        .with(&["--max-artifact-bytes", "1000"])
        .start()
        .await;
    let mut ann = service.artifacts(ANN);
    let content = vec![7; 1001];
    let refused = upload(&mut ann, &content, 1001).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
    assert_eq!(calls::reason(&refused), "ARTIFACT_TOO_LARGE");
    assert!(
        refused
            .message()
            .contains("has 1001 bytes, more than the limit of 1000")
    );
    // Nor by saying that it is smaller.
    upload(&mut ann, &content, 1000).await.unwrap_err();
    let there = received(&mut ann, &name_of(&content)).await;
    assert!(!there.complete && there.received_bytes <= 1000, "{there:?}");
    upload(&mut ann, &content[..1000], 1000).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_lets_go_of_no_artifact() {
    // There is room for one more artifact only where one of no active sweep gives way.
    let service = Service::builder()
        .with(&["--max-artifacts-bytes", "2500"])
        .start()
        .await;
    let mut ann = service.artifacts(ANN);
    let contents: Vec<_> = (1..=3).map(|byte| vec![byte; 1000]).collect();
    for content in &contents[..2] {
        upload(&mut ann, content, 1000).await.unwrap();
    }
    let with_id = |content: &[u8]| v1::CreateSweepRequest {
        request_id: "r1".to_owned(),
        ..with_data(&name_of(content))
    };
    // At the same time, as only then both get as far as holding what they name.
    let mut calls = tokio::task::JoinSet::new();
    for content in contents[..2].iter().cycle().take(8) {
        let (mut sweeps, request) = (service.sweeps(ANN), with_id(content));
        calls.spawn(async move { create(&mut sweeps, request).await });
    }
    let made = calls.join_all().await;
    let named = made[0].spec.clone().unwrap().data.unwrap();
    assert!(made.iter().all(|sweep| sweep.id == made[0].id));
    upload(&mut ann, &contents[2], 1000).await.unwrap();
    let held = contents[..2]
        .iter()
        .find(|content| named.contains(&name_of(content)));
    let there = received(&mut ann, &name_of(held.unwrap())).await;
    assert!(there.complete, "the sweep's own artifact has given way");
    calls::cancel(&mut service.sweeps(ANN), &made[0].id)
        .await
        .unwrap();
}
