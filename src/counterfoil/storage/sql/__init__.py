"""The store on a SQL database: SQLite today, laid out so that PostgreSQL fits."""
