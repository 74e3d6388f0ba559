-- name: providers
select p.tenant, o.name from identity_provider p join organization o on o.id = p.tenant
where $1 = any (p.domains) and o.active order by o.name limit 20

-- name: provider
select p.tenant, p.issuer, p.client_id, p.kek, p.client_secret, p.domains from identity_provider p
join organization o on o.id = p.tenant
where p.tenant = $1 and o.active

-- name: leave
insert into login_flow (state_sha256, tenant, browser_sha256, nonce, verifier, following, expires_at)
values ($1, $2, $3, $4, $5, $6, $7)

-- name: arrive
delete from login_flow where state_sha256 = $1 and browser_sha256 = $2 and expires_at > $3
returning tenant, nonce, verifier, following

-- name: user
select id, tenant, role, type, second_step, generation from may_log_in where tenant = $1 and lower(email) = lower($2)

-- The first account of a provider that logs a person in is theirs; nobody else's, and no other theirs.
-- name: bind
insert into provider_account (user_id, issuer, subject, tenant, first_at) values ($1, $2, $3, $4, $5)
on conflict do nothing

-- name: bound
select exists (select from provider_account where user_id = $1 and issuer = $2 and subject = $3)

-- name: purge
delete from login_flow where expires_at < $1
