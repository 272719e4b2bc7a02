DELETE FROM idempotency_keys k USING idempotency_answers a WHERE a.caller = k.caller AND a.key = k.key AND a.webhook_id IS NOT NULL;
ALTER TABLE idempotency_answers DROP CONSTRAINT idempotency_answers_one_kind;
ALTER TABLE idempotency_answers DROP COLUMN webhook_id;
ALTER TABLE idempotency_answers ADD CONSTRAINT idempotency_answers_one_kind CHECK (num_nonnulls(answer, token_id) = 1);
DROP TABLE webhook_deliveries;
DROP TABLE webhooks;
