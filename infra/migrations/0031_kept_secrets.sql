-- Secrets that must be used as they are (a device's, a provider's) lie wrapped by the key-encryption key. What was there
-- before has no `kek` and is in the clear until `refex migrate`, which has the key, seals it; until then it serves nobody.
alter table second_factor add column kek text;
comment on column second_factor.kek is 'which key-encryption key wraps the secret; none: still in the clear';
alter table identity_provider
    alter column client_secret type bytea using convert_to(client_secret, 'UTF8'),
    add column kek text;
comment on column identity_provider.kek is 'which key-encryption key wraps the secret; none: still in the clear';

-- Which account at a provider a person logged in with first: no other account of that provider is taken for them.
create table provider_account (
    user_id uuid not null references app_user (id) on delete cascade,
    tenant text not null references organization (id),
    issuer text not null,
    subject text not null,
    first_at timestamptz not null,
    primary key (user_id, issuer),
    unique (tenant, issuer, subject)
);
alter table provider_account enable row level security, force row level security;
create policy owner_all on provider_account to current_user using (true) with check (true);
-- Before a caller is known the API itself asks and adds, as for sessions. It changes no row; it removes one for an
-- organization that resets a person of its own.
create policy api_sees on provider_account for select to refex_api using (true);
create policy api_adds on provider_account for insert to refex_api with check (true);
create policy api_ends_own on provider_account for delete to refex_api using (tenant = asking_organization());
grant select, insert, delete on provider_account to refex_api;

-- Whether a code is asked of somebody who logs in.
create function has_second_step(person uuid) returns boolean language sql stable
    return exists (select from second_factor f where f.user_id = person and f.confirmed_at is not null);

-- Who may log in.
create view may_log_in with (security_invoker = true) as
    select u.id, u.tenant, u.email, u.role, u.password_hash, o.type, has_second_step(u.id) as second_step
    from app_user u join organization o on o.id = u.tenant
    where u.active and o.active;
grant select on may_log_in to refex_api;
