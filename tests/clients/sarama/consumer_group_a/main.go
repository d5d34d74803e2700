// Task 3, the member A.
package main

import "clients/sarama/member"

func main() {
	member.Run("A")
}
