-- Partitions that must not go on: why, and whether an operator must let them go on; what operators gave up.
-- None of it is about a tenant.
alter table progress
    add column stopped text,
    add column held boolean not null default false;

create table progress_reset (
    id bigint generated always as identity primary key,
    topic text not null,
    partition int not null,
    from_offset bigint not null,
    to_offset bigint not null,
    why text not null,
    by_whom text not null,
    at timestamptz not null default now()
);
grant select on progress_reset to refex_reader;
