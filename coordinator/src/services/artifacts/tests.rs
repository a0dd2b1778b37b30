//! The service over real gRPC on loopback.

mod support;

use super::*;
use rangefinder_access::Role;
use rangefinder_artifacts::Limits;
use support::*;
use tonic::Code as Grpc;

#[tokio::test]
async fn what_a_client_uploads_a_worker_downloads() {
    let service = Service::start(LIMITS, TransferLimits::default()).await;
    let content = content(3 * CHUNK_BYTES + 17);
    let digest = Digest::of(&content);
    let mut client = service.client(Role::Client, "lab").await;
    let there = client.upload(&content, 0).await.unwrap();
    assert_eq!(there, client.get(digest).await.unwrap());
    assert!(there.complete && there.digest == digest.to_string());
    let mut worker = service.client(Role::Worker, "w1").await;
    assert!(worker.get(digest).await.unwrap().complete);
    assert_eq!(worker.download(digest, 0).await.unwrap(), content);
    let offset = 2 * CHUNK_BYTES + 5;
    let rest = worker.download(digest, offset.try_into().unwrap()).await;
    assert_eq!(rest.unwrap(), content[offset..]);
    let beyond = worker.download(digest, 1 << 40).await;
    assert_eq!(
        refused(beyond),
        expected(Grpc::OutOfRange, "ARTIFACT_OFFSET", Code::ArtifactOffset)
    );
}

#[tokio::test]
async fn an_upload_that_was_cut_off_goes_on_also_after_a_crash() {
    let service = Service::start(LIMITS, TransferLimits::default()).await;
    let content = content(3 * CHUNK_BYTES);
    let digest = Digest::of(&content);
    let mut client = service.client(Role::Client, "lab").await;
    // The stream ends too early.
    let mut messages = vec![header(&content, 0)];
    messages.extend(chunks(&content[..CHUNK_BYTES]));
    assert_eq!(
        refused(client.send(messages, false).await),
        expected(Grpc::OutOfRange, "ARTIFACT_LENGTH", Code::ArtifactOffset)
    );
    let there = client.get(digest).await.unwrap();
    assert_eq!(
        (there.received_bytes, there.complete),
        (CHUNK_BYTES as u64, false)
    );
    // The call is given up while it goes on.
    let mut messages = vec![header(&content, CHUNK_BYTES)];
    messages.extend(chunks(&content[CHUNK_BYTES..2 * CHUNK_BYTES]));
    let mut other = client.clone();
    let call = tokio::spawn(async move { other.send(messages, true).await });
    until_received(&mut client, digest, 2 * CHUNK_BYTES).await;
    call.abort();
    let _given_up = call.await;

    let folder = service.crash().await;
    let service = Service::start_in(folder, LIMITS, TransferLimits::default()).await;
    let mut client = service.client(Role::Client, "lab").await;
    assert_eq!(
        refused(client.upload(&content, CHUNK_BYTES).await),
        expected(Grpc::OutOfRange, "ARTIFACT_OFFSET", Code::ArtifactOffset)
    );
    assert!(
        client
            .upload(&content, 2 * CHUNK_BYTES)
            .await
            .unwrap()
            .complete
    );
    assert_eq!(client.download(digest, 0).await.unwrap(), content);
}

async fn until_received(client: &mut Client, digest: Digest, bytes: usize) {
    let received = async {
        while client.get(digest).await.unwrap().received_bytes != bytes as u64 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, received)
        .await
        .expect("it arrives");
}

#[tokio::test]
async fn content_that_is_not_what_its_name_says_is_dropped() {
    let service = Service::start(LIMITS, TransferLimits::default()).await;
    let mut client = service.client(Role::Client, "lab").await;
    let right = content(1000);
    let mut wrong = right.clone();
    wrong[500] ^= 1;
    let answer = client
        .send(vec![header(&right, 0), Message::Chunk(wrong)], false)
        .await;
    assert_eq!(
        refused(answer),
        expected(Grpc::DataLoss, "ARTIFACT_CONTENT", Code::ArtifactContent)
    );
    let there = client.get(Digest::of(&right)).await.unwrap();
    assert_eq!((there.received_bytes, there.complete), (0, false));
}

#[tokio::test]
async fn what_is_too_large_is_refused_by_its_header_alone() {
    let limits = Limits {
        max_artifact_bytes: 999,
        max_total_bytes: 1500,
        ..LIMITS
    };
    let service = Service::start(limits, TransferLimits::default()).await;
    let mut client = service.client(Role::Client, "lab").await;
    // The stream stays open: whoever waits for content waits in vain.
    let answer = client.send(vec![header(&content(1000), 0)], true).await;
    assert_eq!(
        refused(answer),
        expected(
            Grpc::FailedPrecondition,
            "ARTIFACT_TOO_LARGE",
            Code::ArtifactTooLarge
        )
    );
    let mut other = client.clone();
    let busy = tokio::spawn(async move {
        let content = content(900);
        let first = Message::Chunk(content[..600].to_vec());
        other.send(vec![header(&content, 0), first], true).await
    });
    until_received(&mut client, Digest::of(&content(900)), 600).await;
    assert_eq!(
        refused(client.upload(&content(700), 0).await),
        expected(
            Grpc::ResourceExhausted,
            "ARTIFACT_NO_ROOM",
            Code::ArtifactRoom
        )
    );
    assert_eq!(
        refused(client.upload(&content(900), 0).await),
        expected(Grpc::Aborted, "ARTIFACT_BUSY", Code::ArtifactBusy)
    );
    busy.abort();
}

#[tokio::test]
async fn another_clients_artifact_is_as_one_that_is_not_there() {
    let service = Service::start(LIMITS, TransferLimits::default()).await;
    let content = content(1000);
    let digest = Digest::of(&content);
    let mut lab = service.client(Role::Client, "lab").await;
    lab.upload(&content, 0).await.unwrap();
    let mut other = service.client(Role::Client, "other").await;
    let seen = other.get(digest).await.unwrap();
    let nothing = v1::Artifact {
        digest: digest.to_string(),
        ..v1::Artifact::default()
    };
    assert_eq!(seen, nothing);
    assert_eq!(
        refused(other.download(digest, 0).await),
        expected(Grpc::NotFound, "UNKNOWN_ARTIFACT", Code::NoSuchArtifact)
    );
    assert_eq!(
        refused(other.download(Digest::of(b"absent"), 0).await),
        expected(Grpc::NotFound, "UNKNOWN_ARTIFACT", Code::NoSuchArtifact)
    );
    // Who has the content may bring it too, all of it.
    other.upload(&content, 0).await.unwrap();
    assert_eq!(other.download(digest, 0).await.unwrap(), content);
    let mut admin = service.client(Role::Admin, "root").await;
    assert_eq!(admin.download(digest, 0).await.unwrap(), content);
}

#[tokio::test]
async fn a_worker_may_not_upload_and_nobody_may_anything_without_a_name() {
    let service = Service::start(LIMITS, TransferLimits::default()).await;
    let content = content(10);
    let mut worker = service.client(Role::Worker, "w1").await;
    assert_eq!(
        refused(worker.upload(&content, 0).await),
        expected(Grpc::PermissionDenied, "ROLE", Code::Forbidden)
    );
    let mut nobody = Client {
        caller: "nobody".to_owned(),
        ..worker
    };
    let missing = || expected(Grpc::Unauthenticated, "CREDENTIAL", Code::TokenRefused);
    let digest = Digest::of(&content);
    assert_eq!(refused(nobody.get(digest).await), missing());
    assert_eq!(refused(nobody.upload(&content, 0).await), missing());
    assert_eq!(refused(nobody.download(digest, 0).await), missing());
}

#[tokio::test]
async fn uploads_at_the_same_time_do_not_mix() {
    let service = Service::start(LIMITS, TransferLimits::default()).await;
    let shared = content(2 * CHUNK_BYTES);
    let uploads = ["a", "b", "c", "d"].map(|name| {
        let own: Vec<u8> = content(CHUNK_BYTES + 1)
            .into_iter()
            .map(|byte| byte ^ name.as_bytes()[0])
            .collect();
        let shared = shared.clone();
        let client = service.client(Role::Client, name);
        async move {
            let mut client = client.await;
            let mut other = client.clone();
            let (one, two) = tokio::join!(client.upload(&own, 0), other.upload(&shared, 0));
            assert!(one.unwrap().complete && two.unwrap().complete);
            let read = client.download(Digest::of(&own), 0).await.unwrap();
            assert_eq!(read, own);
            assert_eq!(
                other.download(Digest::of(&shared), 0).await.unwrap(),
                shared
            );
        }
    });
    let [a, b, c, d] = uploads;
    tokio::join!(a, b, c, d);
}

#[tokio::test]
async fn a_transfer_that_brings_nothing_ends_and_what_it_brought_stays() {
    let limits = TransferLimits {
        stall: Duration::from_millis(700),
        transfers: 1,
    };
    let service = Service::start(LIMITS, limits).await;
    let mut client = service.client(Role::Client, "lab").await;
    let content = content(1000);
    let first = Message::Chunk(content[..400].to_vec());
    let answer = client.send(vec![header(&content, 0), first], true).await;
    assert_eq!(
        refused(answer),
        expected(
            Grpc::DeadlineExceeded,
            "ARTIFACT_STALLED",
            Code::ArtifactStalled
        )
    );
    assert_eq!(
        refused(client.send(Vec::new(), true).await),
        expected(
            Grpc::DeadlineExceeded,
            "ARTIFACT_STALLED",
            Code::ArtifactStalled
        )
    );
    assert!(client.upload(&content, 400).await.unwrap().complete);
}

#[tokio::test]
async fn there_are_only_so_many_transfers_at_a_time() {
    let limits = TransferLimits {
        transfers: 1,
        ..TransferLimits::default()
    };
    let service = Service::start(LIMITS, limits).await;
    let mut client = service.client(Role::Client, "lab").await;
    let content = content(1000);
    let first = Message::Chunk(content[..400].to_vec());
    let held = vec![header(&content, 0), first];
    let mut other = client.clone();
    let call = tokio::spawn(async move { other.send(held, true).await });
    until_received(&mut client, Digest::of(&content), 400).await;
    let too_many = || {
        expected(
            Grpc::ResourceExhausted,
            "ARTIFACT_TRANSFERS",
            Code::ArtifactBusy,
        )
    };
    assert_eq!(refused(client.upload(b"x", 0).await), too_many());
    assert_eq!(
        refused(client.download(Digest::of(b"x"), 0).await),
        too_many()
    );
    call.abort();
}

#[tokio::test]
async fn messages_that_make_no_upload_are_refused() {
    let service = Service::start(LIMITS, TransferLimits::default()).await;
    let mut client = service.client(Role::Client, "lab").await;
    let content = content(1000);
    let meaningless = || {
        expected(
            Grpc::InvalidArgument,
            "MEANINGLESS_MESSAGE",
            Code::ArtifactStalled,
        )
    };
    let two_headers = vec![header(&content, 0), header(&content, 0)];
    for messages in [
        vec![],
        vec![Message::Chunk(content.clone())],
        two_headers,
        vec![
            header(&content, 0),
            Message::Chunk(vec![0; CHUNK_BYTES + 1]),
        ],
    ] {
        assert_eq!(refused(client.send(messages, false).await), meaningless());
    }
    // Beyond what any honest message has, the transport refuses it.
    let huge = vec![
        header(&content, 0),
        Message::Chunk(vec![0; 4 * CHUNK_BYTES]),
    ];
    assert_eq!(
        client.send(huge, false).await.unwrap_err().code(),
        Grpc::OutOfRange
    );
    let nonsense = Message::Header(v1::UploadHeader {
        digest: "md5-1".to_owned(),
        ..v1::UploadHeader::default()
    });
    assert_eq!(
        refused(client.send(vec![nonsense], false).await),
        expected(
            Grpc::InvalidArgument,
            "ARTIFACT_NAME",
            Code::ArtifactReference
        )
    );
}

#[tokio::test]
async fn a_client_is_not_told_where_the_folder_is() {
    let service = Service::start(LIMITS, TransferLimits::default()).await;
    let mut client = service.client(Role::Client, "lab").await;
    let content = content(10);
    let place = service.folder.path().to_str().unwrap().to_owned();
    std::fs::remove_dir_all(&place).unwrap();
    let status = client.upload(&content, 0).await.unwrap_err();
    assert!(!status.message().contains(&place), "{status}");
    assert_eq!(
        refused(Err::<(), _>(status)),
        expected(Grpc::Unavailable, "ARTIFACT_FOLDER", Code::ArtifactFolder)
    );
}
