-- A notice has a time to be delivered by, from the contract's clock `notices`; null where the contract has none.
alter table delivery add column due_at timestamptz;
create index delivery_late on delivery (due_at) where delivered_at is null;
