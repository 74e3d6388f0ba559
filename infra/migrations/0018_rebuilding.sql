-- A row while the projections are being made anew (refex rebuild --replace): readers are told so, workers wait.
create table rebuilding (
    one boolean primary key default true check (one),
    since timestamptz not null default now(),
    by_whom text not null
);
grant select on rebuilding to refex_writer, refex_reader, refex_api, refex_relay;
