module clients/confluent-kafka-go

go 1.26.0

require (
	github.com/confluentinc/confluent-kafka-go/v2 v2.11.1
	github.com/mattn/go-sqlite3 v1.14.53
)
