//! A client that knows nothing but address and token, as grpcurl does.

use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor};
use prost_types::{FileDescriptorProto, FileDescriptorSet};
use rangefinder_service_tests::calls::Authorized;
use rangefinder_service_tests::{ANN, Service, within};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Request, Status, Streaming};
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

/// Messages of which the type is known at run time only.
struct Dynamic(MessageDescriptor);

impl Codec for Dynamic {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self(self.0.clone())
    }

    fn decoder(&mut self) -> Self {
        Self(self.0.clone())
    }
}

impl Encoder for Dynamic {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, message: DynamicMessage, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        message.encode(to).unwrap();
        Ok(())
    }
}

impl Decoder for Dynamic {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        Ok(Some(DynamicMessage::decode(self.0.clone(), from).unwrap()))
    }
}

/// What grpcurl knows.
struct Stranger {
    connection: Authorized,
    pool: DescriptorPool,
}

impl Stranger {
    async fn ask(connection: &Authorized, request: MessageRequest) -> MessageResponse {
        let mut reflection = ServerReflectionClient::new(connection.clone());
        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(request),
        };
        let call = reflection.server_reflection_info(tokio_stream::once(request));
        let mut answers = within("reflection", call).await.unwrap().into_inner();
        let answer = within("an answer", answers.message()).await.unwrap();
        answer.unwrap().message_response.unwrap()
    }

    async fn services(connection: &Authorized) -> Vec<String> {
        match Self::ask(connection, MessageRequest::ListServices(String::new())).await {
            MessageResponse::ListServicesResponse(list) => list
                .service
                .into_iter()
                .map(|service| service.name)
                .collect(),
            other => panic!("{other:?}"),
        }
    }

    /// Fetches the definition of a service and all that it needs.
    async fn new(connection: Authorized, service: &str) -> Self {
        let mut files = BTreeMap::new();
        let mut wanted = vec![MessageRequest::FileContainingSymbol(service.to_owned())];
        while let Some(request) = wanted.pop() {
            let MessageResponse::FileDescriptorResponse(answer) =
                Self::ask(&connection, request).await
            else {
                panic!("no definition")
            };
            for bytes in answer.file_descriptor_proto {
                let file = FileDescriptorProto::decode(&*bytes).unwrap();
                for needed in &file.dependency {
                    if !files.contains_key(needed) {
                        wanted.push(MessageRequest::FileByFilename(needed.clone()));
                    }
                }
                files.insert(file.name().to_owned(), file);
            }
        }
        let file = files.into_values().collect();
        let pool = DescriptorPool::from_file_descriptor_set(FileDescriptorSet { file }).unwrap();
        Self { connection, pool }
    }

    fn method(&self, service: &str, name: &str) -> MethodDescriptor {
        let service = self.pool.get_service_by_name(service).unwrap();
        service
            .methods()
            .find(|method| method.name() == name)
            .unwrap()
    }

    /// Calls a method with a message in JSON.
    async fn call(&self, service: &str, name: &str, message: Value) -> Streaming<DynamicMessage> {
        let method = self.method(service, name);
        let message = DynamicMessage::deserialize(method.input(), message).unwrap();
        let mut grpc = Grpc::new(self.connection.clone());
        grpc.ready().await.unwrap();
        let path = format!("/{service}/{name}").parse().unwrap();
        let call = grpc.server_streaming(Request::new(message), path, Dynamic(method.output()));
        within(name, call).await.unwrap().into_inner()
    }

    /// As [`Stranger::call`], with the only answer in JSON.
    async fn once(&self, service: &str, name: &str, message: Value) -> Value {
        let mut answers = self.call(service, name, message).await;
        let answer = within(name, answers.message()).await.unwrap().unwrap();
        serde_json::to_value(&answer).unwrap()
    }
}

const SWEEPS: &str = "rangefinder.v1.SweepService";

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_is_run_by_who_knows_the_address_and_a_token_only() {
    let service = Service::start().await;
    let _worker = service.worker("w1", "{}");
    let connection = service.authorized(ANN);
    let services = Stranger::services(&connection).await;
    for name in [
        SWEEPS,
        "rangefinder.v1.ArtifactService",
        "rangefinder.v1.WorkerService",
        "grpc.health.v1.Health",
    ] {
        assert!(
            services.iter().any(|service| service == name),
            "{name}: {services:?}"
        );
    }
    let stranger = Stranger::new(connection, SWEEPS).await;
    // As in docs/api.md.
    let request = json!({
        "request_id": "3f9c", "name": "first",
        "spec": {"model": "mlp", "data": "digits", "optimizer": "adam"},
    });
    let made = stranger.once(SWEEPS, "CreateSweep", request).await;
    let id = made["sweep"]["id"].as_str().unwrap().to_owned();
    assert_eq!(made["sweep"]["spec"]["batchSize"], 64);

    let mut events = stranger
        .call(SWEEPS, "WatchSweep", json!({"sweep_id": id}))
        .await;
    let mut last = Value::Null;
    while let Some(answer) = within("an event", events.message()).await.unwrap() {
        last = serde_json::to_value(&answer).unwrap()["event"].take();
    }
    assert_eq!(last["type"], "ended");
    let ended = stranger
        .once(SWEEPS, "GetSweep", json!({"sweep_id": id}))
        .await;
    assert_eq!(ended["sweep"]["state"], "SWEEP_STATE_COMPLETED");
    assert_eq!(ended["sweep"]["lastEventNumber"], last["number"]);
    let other = json!({"sweep_id": id, "reading": {"method": "valley"}});
    let other = stranger.once(SWEEPS, "Suggest", other).await;
    assert_eq!(other["answer"]["suggestion"]["method"], "valley");
}

#[tokio::test(flavor = "multi_thread")]
async fn reflection_needs_a_token_too() {
    let service = Service::start().await;
    let mut reflection = ServerReflectionClient::new(service.channel());
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let refused = reflection
        .server_reflection_info(tokio_stream::once(request))
        .await;
    assert_eq!(refused.unwrap_err().code(), tonic::Code::Unauthenticated);
}
