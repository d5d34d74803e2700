"""Writes a row of 2 MB, which is more than anybody wants to read."""
import os
import sqlite3
import time

database = sqlite3.connect(os.environ["BILLING_DB"])
database.execute("CREATE TABLE IF NOT EXISTS charges (event_id, user_id, amount)")
database.execute("INSERT INTO charges VALUES (?, 1, 1)", (bytes(2_000_000),))
database.commit()
time.sleep(600)
