-- Who looked at what and what was written: one chain of records per writing process and start, nothing ever changed.
-- A record of kind `request` is one request to the API; one of kind `facts` seals the facts that one batch wrote.
create table audit_chain (
    chain text primary key,
    started_at timestamptz not null,
    length bigint not null,
    head bytea not null
);

create table audit_record (
    chain text not null references audit_chain (chain),
    number bigint not null,
    kind text not null check (kind in ('request', 'facts')),
    at timestamptz not null,
    tenant text not null,
    body bytea not null,
    hash bytea not null,
    primary key (chain, number)
);
comment on column audit_record.tenant is 'whose people or systems acted; empty for nobody known, or the exchange itself';
create index audit_record_tenant on audit_record (tenant, at) where kind = 'request';

-- What was shown of whom: the index of the accounting of disclosures; the records themselves say how and why.
create table audit_disclosure (
    chain text not null,
    number bigint not null,
    referral_id uuid not null,
    person_key uuid not null,
    tenant text not null,
    recipient text not null,
    at timestamptz not null,
    primary key (chain, number, referral_id)
);
comment on column audit_disclosure.tenant is 'the organization that sent the referral, and must account for it';
create index audit_disclosure_person on audit_disclosure (person_key, at);

-- Where sealing begins in each lane: facts before it were written before there was an audit.
alter table lane add column audited_from bigint not null default 0;
update lane set audited_from = seq;

do $$
declare
    name text;
begin
    foreach name in array array['audit_record', 'audit_disclosure'] loop
        execute format('alter table %I enable row level security, force row level security', name);
        execute format('create policy owner_all on %I to current_user using (true) with check (true)', name);
        execute format('create policy writer_all on %I to refex_writer using (true) with check (true)', name);
        execute format('create policy reader_all on %I for select to refex_reader using (true)', name);
        execute format('create policy api_adds on %I for insert to refex_api with check (true)', name);
        execute format('create policy api_sees on %I for select to refex_api using (tenant = asking_organization())', name);
    end loop;
end
$$;
grant select on audit_chain, audit_record, audit_disclosure to refex_reader;
grant select, insert on audit_chain to refex_writer, refex_api;
grant update (length, head) on audit_chain to refex_writer, refex_api;
grant insert on audit_record, audit_disclosure to refex_writer, refex_api;
grant select on audit_record, audit_disclosure to refex_api;
