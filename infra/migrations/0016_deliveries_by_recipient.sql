-- Deliveries are claimed receiver by receiver, so that one which does not answer never stands before the others.
create index delivery_due_by_recipient on delivery (recipient, next_attempt_at)
    where delivered_at is null and failed_at is null;
drop index delivery_due;
