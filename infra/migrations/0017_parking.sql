-- Records that failed us, and those of the same stream that wait behind them, in order, until the operator releases them.
-- A lane counts its own, so that a batch learns from its locks alone that nothing waits.
create table parked (
    id uuid primary key,
    lane int not null references lane (lane),
    kind text not null,
    stream_id uuid not null,
    tenant text not null,
    event_id uuid not null,
    position bigint generated always as identity,
    topic text not null,
    partition int not null,
    "offset" bigint not null,
    key bytea,
    value bytea,
    at timestamptz not null,
    error text,
    parked_at timestamptz not null default now(),
    released_at timestamptz,
    unique (topic, partition, "offset")
);
create index parked_stream on parked (kind, stream_id, position);
create index parked_released on parked (position) where released_at is not null;
comment on column parked.error is 'what failed, by its type alone; null for a record that waits behind another';

alter table lane add column parked int not null default 0 check (parked >= 0);

alter table parked enable row level security, force row level security;
create policy owner_all on parked to current_user using (true) with check (true);
create policy writer_all on parked to refex_writer using (true) with check (true);
create policy reader_all on parked for select to refex_reader using (true);
create policy api_sees on parked for select to refex_api using (
    tenant = asking_organization() or asking_type() = 'operator'
    or (asking_type() = 'hub' and exists (select from referral r where r.id = parked.stream_id)));

grant select, insert, update, delete on parked to refex_writer;
grant select (id, lane, kind, stream_id, tenant, event_id, position, topic, partition, "offset", at, error, parked_at,
    released_at) on parked to refex_reader, refex_api;
