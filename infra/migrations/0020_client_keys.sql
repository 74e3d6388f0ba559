-- Clients that sign (private_key_jwt): their public keys or where those are, and the assertions already used.
alter table client alter column secret_hash drop not null;
alter table client add column jwks jsonb;
alter table client add column jwks_url text;
alter table client add constraint client_proves_itself
    check (num_nonnulls(secret_hash, jwks, jwks_url) = 1);

create table assertion_used (
    client_id text not null references client (client_id) on delete cascade,
    jti text not null,
    expires_at timestamptz not null,
    primary key (client_id, jti)
);
create index assertion_used_expires_at on assertion_used (expires_at);
grant select, insert, delete on assertion_used to refex_api;
