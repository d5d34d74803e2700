// Task 5: charges each payment once.
package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"time"

	"clients/sarama/lab"

	"github.com/IBM/sarama"
	_ "github.com/mattn/go-sqlite3"
)

const (
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

type biller struct {
	database    *sql.DB
	deadLetters sarama.SyncProducer
}

func (*biller) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (*biller) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (b *biller) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	lab.Batches(session, claim, func(batch []*sarama.ConsumerMessage) {
		if err := b.process(batch); err != nil {
			log.Fatal(err)
		}
		// Last: the committed offsets are never ahead of the database.
		session.MarkMessage(batch[len(batch)-1], "")
		session.Commit()
		fmt.Printf("Processed a batch of %d.\n", len(batch))
	})
	return nil
}

// process charges the payments of a batch, all of them or none. Messages that are not payments become dead letters.
func (b *biller) process(batch []*sarama.ConsumerMessage) error {
	charges, err := b.database.Begin()
	if err != nil {
		return err
	}
	defer charges.Rollback()
	for _, message := range batch {
		p, ok := paymentIn(message.Value)
		if !ok {
			letter := &sarama.ProducerMessage{Topic: "payments.dlq"}
			if message.Key != nil {
				letter.Key = sarama.ByteEncoder(message.Key)
			}
			if message.Value != nil {
				letter.Value = sarama.ByteEncoder(message.Value)
			}
			if _, _, err := b.deadLetters.SendMessage(letter); err != nil {
				return err
			}
			fmt.Printf("Dead letter: offset %d of partition %d\n", message.Offset, message.Partition)
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
	// The partitions are read side by side, but SQLite has one writer at a time.
	database.SetMaxOpenConns(1)
	deadLetters := lab.Producer(func(*sarama.Config) {})
	defer deadLetters.Close()
	lab.Consume("billing-service", "payments", 10*time.Second, &biller{database, deadLetters})
}
