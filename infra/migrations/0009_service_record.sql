-- What answers tell of a service, and the places taken of each numeric capacity: sums over the facts of hops, so that
-- the order in which lanes commit does not matter. `changed_in` lets a worker read what others changed, and misses none.
create table service_record (
    service uuid not null,
    tenant text not null,
    asked int not null default 0,
    accepted int not null default 0,
    rejected int not null default 0,
    expired int not null default 0,
    wrong int not null default 0,
    bounces int not null default 0,
    response_seconds bigint not null default 0,
    answered_at timestamptz,
    closed_at timestamptz,
    reopened_at timestamptz,
    expiries timestamptz[] not null default '{}',
    changed_in xid8 not null default pg_current_xact_id(),
    primary key (service, tenant)
) with (fillfactor = 80);
create index service_record_changed on service_record (changed_in);

create table service_capacity (
    service uuid not null,
    tenant text not null,
    version int not null,
    taken int not null default 0,
    changed_in xid8 not null default pg_current_xact_id(),
    primary key (service, tenant, version)
) with (fillfactor = 80);
create index service_capacity_changed on service_capacity (changed_in);

grant select, insert, update on service_record, service_capacity to refex_writer;
grant select on service_record, service_capacity to refex_reader, refex_api;

do $$
declare
    name text;
begin
    foreach name in array array['service_record', 'service_capacity'] loop
        execute format('alter table %I enable row level security, force row level security', name);
        execute format('create policy owner_all on %I to current_user using (true) with check (true)', name);
        execute format('create policy writer_all on %I to refex_writer using (true) with check (true)', name);
        execute format('create policy reader_all on %I for select to refex_reader using (true)', name);
        -- A CBO sees how its own services stand, the hub and the operator all: who is paused or full is no secret there.
        execute format('create policy api_sees on %I for select to refex_api using (
            tenant = asking_organization() or asking_type() in (''hub'', ''operator''))', name);
    end loop;
end
$$;
