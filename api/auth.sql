-- name: token
select t.tenant, t.client_id, t.scope, t.expires_at, o.type, o.name
from access_token t
join client c using (client_id)
join organization o on o.id = t.tenant
where t.token_sha256 = $1 and t.expires_at > $2 and c.active and o.active

-- name: session
select s.tenant, s.user_id, s.csrf, s.last_seen_at, s.expires_at, u.role, u.email, u.name as user_name, o.type, o.name,
    exists (select from second_factor f where f.user_id = s.user_id and f.confirmed_at <= s.created_at) as second_step,
    openings_since(s.tenant, $4) as opened
from session s
join app_user u on u.id = s.user_id
join organization o on o.id = s.tenant
where s.token_sha256 = $1 and s.expires_at > $2 and s.last_seen_at > $3 and not s.pending
    and s.generation = u.generation and u.active and o.active

-- name: touch_session
update session set last_seen_at = $2 where token_sha256 = $1

-- name: client
select c.client_id, c.tenant, c.secret_hash, c.jwks, c.jwks_url, c.scope, o.type
from client c
join organization o on o.id = c.tenant
where c.client_id = $1 and c.active and o.active

-- name: insert_token
insert into access_token (token_sha256, tenant, client_id, scope, created_at, expires_at)
values ($1, $2, $3, $4, $5, $6)

-- name: use_assertion
insert into assertion_used (client_id, jti, expires_at) values ($1, $2, $3) on conflict do nothing

-- name: purge_tokens
delete from access_token where expires_at < $1

-- name: purge_assertions
delete from assertion_used where expires_at < $1

-- name: purge_keys
delete from idempotency where created_at < $1
