-- name: providers
select p.tenant, o.name from identity_provider p join organization o on o.id = p.tenant
where $1 = any (p.domains) and o.active order by o.name limit 20

-- name: provider
select p.issuer, p.client_id, p.client_secret, p.domains from identity_provider p
join organization o on o.id = p.tenant
where p.tenant = $1 and o.active

-- name: leave
insert into login_flow (state_sha256, tenant, browser_sha256, nonce, verifier, following, expires_at)
values ($1, $2, $3, $4, $5, $6, $7)

-- name: arrive
delete from login_flow where state_sha256 = $1 and browser_sha256 = $2 and expires_at > $3
returning tenant, nonce, verifier, following

-- name: user
select u.id, u.tenant, u.role, o.type,
    exists (select from second_factor f where f.user_id = u.id and f.confirmed_at is not null) as second_step
from app_user u join organization o on o.id = u.tenant
where u.tenant = $1 and lower(u.email) = lower($2) and u.active and o.active

-- name: purge
delete from login_flow where expires_at < $1
