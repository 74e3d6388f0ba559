-- A log-in ends the session whose cookie it came with; one that waits for a code is none yet.
-- name: begin
with before as (delete from session where token_sha256 = $8),
noted as (
    insert into last_log_in (user_id, tenant, at) select $3, $2, $6 where not $9
    on conflict (user_id) do update set at = excluded.at)
insert into session (token_sha256, tenant, user_id, generation, csrf, created_at, last_seen_at, expires_at, pending)
values ($1, $2, $3, $4, $5, $6, $6, $7, $9)

-- name: end
delete from session where token_sha256 = $1

-- name: end_all
delete from session where user_id = $1

-- A session that waits for its code.
-- name: pending
select s.user_id, s.tenant, s.csrf, s.generation, u.role, o.type, f.kek, f.secret, f.last_step
from session s
join app_user u on u.id = s.user_id
join organization o on o.id = s.tenant
join second_factor f on f.user_id = s.user_id and f.confirmed_at is not null
where s.token_sha256 = $1 and s.pending and s.expires_at > $2 and s.generation = u.generation and u.active and o.active

-- name: purge
delete from session where expires_at < $1 or last_seen_at < $2
