-- An organization's own log-in (OpenID Connect), and the log-ins that are on their way to it and back.
create table identity_provider (
    tenant text primary key references organization (id),
    issuer text not null,
    client_id text not null,
    client_secret text not null,
    domains text[] not null check (cardinality(domains) > 0)
);

create table login_flow (
    state_sha256 bytea primary key,
    tenant text not null references identity_provider (tenant) on delete cascade,
    browser_sha256 bytea not null,
    nonce text not null,
    verifier text not null,
    following text not null,
    expires_at timestamptz not null
);
create index login_flow_expires_at on login_flow (expires_at);

do $$
declare
    name text;
begin
    foreach name in array array['identity_provider', 'login_flow'] loop
        execute format('alter table %I enable row level security, force row level security', name);
        execute format('create policy owner_all on %I to current_user using (true) with check (true)', name);
    end loop;
end
$$;
-- Before a caller is known the API itself asks, as for sessions.
create policy api_sees on identity_provider for select to refex_api using (true);
create policy api_all on login_flow to refex_api using (true) with check (true);
grant select on identity_provider to refex_api;
grant select, insert, delete on login_flow to refex_api;
