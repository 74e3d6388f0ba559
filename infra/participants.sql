-- name: organizations
select o.id, o.name, o.type, o.active, o.kafka_username, o.created_at,
    (select count(*) from client c where c.tenant = o.id) as clients,
    (select count(*) from app_user u where u.tenant = o.id) as users
from organization o order by o.id

-- name: insert_organization
insert into organization (id, name, type, kafka_username) values ($1, $2, $3, $4)
on conflict (id) do nothing

-- name: upsert_client
insert into client (client_id, tenant, secret_hash, scope) values ($1, $2, $3, $4)
on conflict (client_id) do update set secret_hash = excluded.secret_hash, scope = excluded.scope
    where client.tenant = excluded.tenant

-- name: upsert_signing_client
insert into client (client_id, tenant, scope, jwks, jwks_url) values ($1, $2, $3, $4, $5)
on conflict (client_id) do update set jwks = excluded.jwks, jwks_url = excluded.jwks_url, active = true
    where client.tenant = excluded.tenant and client.secret_hash is null

-- name: end_signing_client
delete from client where client_id = $1 and tenant = $2 and secret_hash is null

-- name: upsert_user
insert into app_user (id, tenant, email, name, role, password_hash) values ($1, $2, $3, $4, $5, $6)
on conflict (lower(email)) do update set password_hash = excluded.password_hash, role = excluded.role
    where app_user.tenant = excluded.tenant

-- name: organization
select id, name, type, kafka_username from organization where id = $1

-- name: clients
select client_id, scope from client where tenant = $1 and active and secret_hash is not null order by client_id

-- name: end_tokens
delete from access_token where tenant = $1

-- name: set_webhook
update organization set webhook_url = $2 where id = $1

-- name: keep_webhook_secret
insert into webhook_secret (tenant, kek, secret) values ($1, $2, $3)
on conflict (tenant) do update set kek = excluded.kek, secret = excluded.secret

-- name: forget_webhook_secret
delete from webhook_secret where tenant = $1
