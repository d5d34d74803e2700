// Task 5: charges each payment once.
package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"log"
	"os"

	"clients/confluent-kafka-go/lab"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	_ "github.com/mattn/go-sqlite3"
)

const (
	batchSize = 20

	table  = "CREATE TABLE IF NOT EXISTS charges (event_id TEXT PRIMARY KEY, user_id TEXT, amount REAL)"
	charge = "INSERT INTO charges (event_id, user_id, amount) VALUES (?, ?, ?) ON CONFLICT (event_id) DO NOTHING"
)

type payment struct {
	EventID *string  `json:"event_id"`
	UserID  *string  `json:"user_id"`
	Amount  *float64 `json:"amount"`
}

// paymentIn returns the payment in a message, and whether there is one.
func paymentIn(value []byte) (payment, bool) {
	var p payment
	if err := json.Unmarshal(value, &p); err != nil {
		return p, false
	}
	isPayment := p.EventID != nil && *p.EventID != "" && p.UserID != nil && p.Amount != nil && *p.Amount > 0
	return p, isPayment
}

func openDatabase() *sql.DB {
	file := os.Getenv("BILLING_DB")
	if file == "" {
		file = "billing.db"
	}
	database, err := sql.Open("sqlite3", file)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := database.Exec(table); err != nil {
		log.Fatal(err)
	}
	return database
}

// bury sends a message to the dead letters, and waits until the broker has acknowledged it.
func bury(producer *kafka.Producer, message *kafka.Message) error {
	topic := "payments.dlq"
	reports := make(chan kafka.Event, 1)
	err := producer.Produce(&kafka.Message{
		TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: kafka.PartitionAny},
		Key:            message.Key,
		Value:          message.Value,
	}, reports)
	if err != nil {
		return err
	}
	return (<-reports).(*kafka.Message).TopicPartition.Error
}

// process charges the payments of a batch, all of them or none. Messages that are not payments become dead letters.
func process(producer *kafka.Producer, database *sql.DB, batch []*kafka.Message) error {
	charges, err := database.Begin()
	if err != nil {
		return err
	}
	defer charges.Rollback()
	for _, message := range batch {
		p, ok := paymentIn(message.Value)
		if !ok {
			if err := bury(producer, message); err != nil {
				return err
			}
			fmt.Println("Dead letter:", message.TopicPartition)
			continue
		}
		if _, err := charges.Exec(charge, *p.EventID, *p.UserID, *p.Amount); err != nil {
			return err
		}
	}
	return charges.Commit()
}

func main() {
	database := openDatabase()
	producer := lab.Producer(kafka.ConfigMap{})
	defer producer.Close()
	consumer := lab.Consumer("billing-service", "payments", "10000", nil)
	defer consumer.Close()

	ctx := lab.UntilStopped()
	var batch []*kafka.Message
	for ctx.Err() == nil {
		message := lab.Next(consumer)
		if message != nil {
			batch = append(batch, message)
		}
		if len(batch) == batchSize || (message == nil && len(batch) > 0) {
			if err := process(producer, database, batch); err != nil {
				log.Fatal(err)
			}
			// Last: the committed offsets are never ahead of the database.
			if _, err := consumer.Commit(); err != nil {
				log.Fatal(err)
			}
			fmt.Printf("Committed batch of %d.\n", len(batch))
			batch = nil
		}
	}
}
