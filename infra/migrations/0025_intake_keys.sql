-- The exchange's keys for what producers seal on its way: one a day. The private half is wrapped like a person's key; a
-- worker deletes a key when no record sealed to it can be read any more.
create table intake_key (
    id bytea primary key check (length(id) = 8),
    public bytea not null,
    kek text not null,
    wrapped bytea not null,
    used_from timestamptz not null unique,
    used_until timestamptz not null
);
grant select, insert, delete on intake_key to refex_writer;
grant select (id, public, used_from, used_until) on intake_key to refex_api;
