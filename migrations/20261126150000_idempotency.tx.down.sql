DROP TABLE idempotency_answers;
DROP TABLE idempotency_keys;
