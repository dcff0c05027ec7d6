"""What any user of Postgres needs: pools, statements in files, migrations. Knows no domain."""
