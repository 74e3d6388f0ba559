-- Partitions that must not go on: why, and whether an operator must let them go on; what operators gave up; how
-- each worker's last run ended. None of it is about a tenant.
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

create table worker_run (
    host text not null,
    slot int not null,
    clean boolean not null,
    at timestamptz not null default now(),
    primary key (host, slot)
);
grant select, insert, update on worker_run to refex_writer;
grant select on progress_reset, worker_run to refex_reader;
