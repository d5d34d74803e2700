// Task 3, the member A.
package main

import "clients/franz-go/member"

func main() {
	member.Run("A")
}
