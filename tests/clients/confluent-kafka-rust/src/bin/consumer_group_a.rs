//! Task 3, the member A.

#[tokio::main]
async fn main() -> confluent_kafka_rust::Result<()> {
    confluent_kafka_rust::member::run("A").await
}
