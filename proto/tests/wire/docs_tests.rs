//! `docs/api.md` knows every call, and its examples are requests that exist.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use crate::compile;
use prost_reflect::{DescriptorPool, Kind, MessageDescriptor};
use serde_json::Value;

const DOCS: &str = include_str!("../../../docs/api.md");

#[test]
fn every_service_and_every_call_of_clients_is_documented() {
    let pool = compile::ours();
    for service in pool.services() {
        assert!(
            DOCS.contains(&format!("`{}`", service.name())),
            "{}",
            service.name()
        );
        if service.name() == "WorkerService" {
            continue; // Its call is that of docs/workers.md.
        }
        for call in service.methods() {
            assert!(
                DOCS.contains(&format!("`{}`", call.name())),
                "{}",
                call.name()
            );
        }
    }
}

#[test]
fn every_example_of_grpcurl_is_a_request_of_its_call() {
    let pool = compile::ours();
    let mut examples = 0;
    for line in DOCS.lines().filter(|line| line.starts_with("call -d ")) {
        let mut parts = line.split('\'');
        let request: Value = serde_json::from_str(parts.nth(1).unwrap()).unwrap();
        let call = parts.next().unwrap().rsplit(' ').next().unwrap();
        assert_eq!(mistake(&request, &input(&pool, call)), None, "{line}");
        examples += 1;
    }
    assert_eq!(
        examples,
        DOCS.matches("call -d ").count(),
        "each stands on a line of its own"
    );
    assert!(examples > 0);
}

#[test]
fn a_wrong_example_is_found() {
    let create = input(&compile::ours(), "rangefinder.v1.SweepService/CreateSweep");
    for (request, found) in [
        (
            r#"{"spec":{"freeze":["a"],"model":"mlp"},"validate_only":true}"#,
            None,
        ),
        (r#"{"specification":{}}"#, Some("specification")),
        (r#"{"spec":{"modell":"mlp"}}"#, Some("modell")),
        (r#"{"spec":{"model":1}}"#, Some("model")),
        (r#"{"spec":{"freeze":"a"}}"#, Some("freeze")),
        (r#"{"workers":"two"}"#, Some("workers")),
        (r#"{"spec":"mlp"}"#, Some("spec")),
    ] {
        let request = serde_json::from_str(request).unwrap();
        assert_eq!(mistake(&request, &create).as_deref(), found, "{request}");
    }
}

/// What a call, as `package.Service/Method`, takes.
fn input(pool: &DescriptorPool, call: &str) -> MessageDescriptor {
    let mut methods = pool.services().flat_map(|service| {
        let methods: Vec<_> = service.methods().collect();
        methods.into_iter()
    });
    let named = |method: &prost_reflect::MethodDescriptor| {
        format!("{}/{}", method.parent_service().full_name(), method.name()) == call
    };
    methods.find(named).ok_or(call).unwrap().input()
}

/// The first key of a message in JSON that the message has not, or whose value does not fit.
fn mistake(request: &Value, message: &MessageDescriptor) -> Option<String> {
    request.as_object()?.iter().find_map(|(name, value)| {
        let Some(field) = message.get_field_by_name(name) else {
            return Some(name.clone());
        };
        let values = match value {
            Value::Array(values) if field.is_list() => values.iter().collect(),
            _ if field.is_list() => return Some(name.clone()),
            value => vec![value],
        };
        values.into_iter().find_map(|value| match field.kind() {
            Kind::Message(message) if value.is_object() => mistake(value, &message),
            Kind::String | Kind::Enum(_) if value.is_string() => None,
            Kind::Bool if value.is_boolean() => None,
            Kind::Double | Kind::Uint32 | Kind::Uint64 | Kind::Int32 | Kind::Int64
                if value.is_number() =>
            {
                None
            }
            _ => Some(name.clone()),
        })
    })
}
