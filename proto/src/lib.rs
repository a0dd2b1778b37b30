//! The wire of Rangefinder.
//!
//! - [`v1`]: the messages and services of `rangefinder.v1`, generated from `proto/rangefinder/v1`.
//! - [`DESCRIPTORS`]: the same definitions as a descriptor set, for reflection and tests.
//! - [`values`], [`threshold`], [`overlap`], [`groups`]: how numbers and these fields are written
//!   where people write them.
//! - [`sections`]: how the fields are grouped where people read them.

pub mod groups;
pub mod overlap;
pub mod sections;
pub mod threshold;
pub mod values;

/// Generated messages and services of `rangefinder.v1`.
#[expect(clippy::all, clippy::allow_attributes, reason = "generated code")]
pub mod v1 {
    tonic::include_proto!("rangefinder.v1");
}

/// Version of the worker protocol, sent in `Hello`.
pub const PROTOCOL_VERSION: u32 = 1;

/// The encoded `FileDescriptorSet` of all files under `proto/rangefinder/v1`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
