"""What a receiver owes: clauses, the players that try them and the judges that decide. Pure: nothing is sent here."""
