module clients/franz-go

go 1.26.0

require (
	github.com/mattn/go-sqlite3 v1.14.53 // indirect
	github.com/twmb/franz-go v1.22.3 // indirect
)
