-- The log: where each partition stands, the lanes, the inbox of event ids, and history (facts = outbox = rebuild source).
create table progress (
    topic text not null,
    partition int not null,
    next_offset bigint not null,
    cluster_id text not null,
    topic_id text not null,
    updated_at timestamptz not null default now(),
    primary key (topic, partition)
);

create table lane (
    lane int primary key check (lane between 0 and 63),
    seq bigint not null default 0
);
insert into lane (lane) select generate_series(0, 63);

create table inbox (
    tenant text not null,
    event_id uuid not null,
    payload_sha256 bytea not null,
    topic text not null,
    partition int not null,
    "offset" bigint not null,
    kind text,
    stream_id uuid,
    outcome text not null default 'applied' check (outcome in ('applied', 'no-effect', 'rejected', 'dead-letter')),
    reason text,
    detail text,
    version int,
    at timestamptz not null,
    primary key (tenant, event_id)
) partition by hash (tenant, event_id);

create table history (
    lane int not null,
    lane_seq bigint not null,
    kind text not null,
    stream_id uuid not null,
    version int not null,
    type text not null,
    event_id uuid not null,
    occurred_at timestamptz not null,
    at timestamptz not null,
    actor_organization text not null,
    actor_user text,
    on_behalf_of text,
    channel text not null,
    tenant text not null,
    sender text,
    recipients text[] not null default '{}',
    payer text,
    status text,
    data bytea not null,
    sealed bytea not null default '',
    primary key (lane, lane_seq),
    unique (lane, kind, stream_id, version)
) partition by hash (lane);

do $$
begin
    for n in 0..7 loop
        execute format('create table inbox_%s partition of inbox for values with (modulus 8, remainder %s)', n, n);
        execute format('create table history_%s partition of history for values with (modulus 8, remainder %s)', n, n);
    end loop;
end
$$;

create table relay_position (
    lane int primary key references lane (lane),
    next_seq bigint not null default 1
);
insert into relay_position (lane) select generate_series(0, 63);

create table relay_end (
    relay_group int not null,
    topic text not null,
    partition int not null,
    end_offset bigint not null,
    primary key (relay_group, topic, partition)
);

-- Commands without effect, answered by event id; they take no version.
create table rejected_command (
    tenant text not null,
    event_id uuid not null,
    kind text not null,
    stream_id uuid,
    command text not null,
    reason text not null,
    detail text not null,
    at timestamptz not null,
    primary key (tenant, event_id)
);

create table dead_letter (
    id uuid primary key,
    tenant text not null,
    topic text not null,
    partition int not null,
    "offset" bigint not null,
    reason text not null,
    detail text not null,
    key bytea,
    value bytea,
    at timestamptz not null,
    replayed_at timestamptz,
    unique (topic, partition, "offset")
);
