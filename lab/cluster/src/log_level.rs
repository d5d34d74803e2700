//! Sets how much a broker logs. rdkafka cannot change a broker's loggers.

use anyhow::{Result, bail};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::IncrementalAlterConfigsRequest;
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::protocol::StrBytes;

use crate::wire::{ANSWER_LIMIT, Brokers};

/// A broker's loggers, as a kind of resource in the protocol.
const BROKER_LOGGER: i8 = 8;

/// The protocol's number for setting a value.
const SET: i8 = 0;

/// The node that the lab's Kafka consists of.
const NODE: &str = "1";

/// Sets the level of one logger until the broker ends.
///
/// # Errors
/// If the broker does not answer or refuses.
pub fn set_log_level(
    brokers: &mut Brokers,
    logger: &'static str,
    level: &'static str,
) -> Result<()> {
    const VERSION: i16 = 0;
    let config = AlterableConfig::default()
        .with_name(StrBytes::from_static_str(logger))
        .with_config_operation(SET)
        .with_value(Some(StrBytes::from_static_str(level)));
    let resource = AlterConfigsResource::default()
        .with_resource_type(BROKER_LOGGER)
        .with_resource_name(StrBytes::from_static_str(NODE))
        .with_configs(vec![config]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    let answer = brokers.ask_any(&request, VERSION, ANSWER_LIMIT)?;
    let errors = answer.responses.iter().map(|response| response.error_code);
    match errors.into_iter().find_map(ResponseError::try_from_code) {
        None => Ok(()),
        Some(error) => bail!("Kafka could not set the level of {logger}: {error}"),
    }
}
