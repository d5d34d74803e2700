// Task 3, the member B.
package main

import "clients/confluent-kafka-go/member"

func main() {
	member.Run("B")
}
