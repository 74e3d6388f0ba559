-- name: user
select id, tenant, role, password_hash, type, second_step, generation from may_log_in where lower(email) = lower($1)

-- name: ask_link
insert into login_link (id, tenant, user_id, language, asked_at, next_at)
select $1, coalesce(u.tenant, ''), u.id, $3, $4, $4
from (select 1) always left join may_log_in u on lower(u.email) = lower($2)

-- name: use_link
update login_link l set used_at = $2
from may_log_in u
where l.token_sha256 = $1 and l.used_at is null and l.expires_at > $2 and u.id = l.user_id
returning u.id, u.tenant, u.role, u.type, u.second_step, u.generation

-- name: end_links
update login_link set used_at = $2 where user_id = $1 and used_at is null and token_sha256 is not null

-- name: take_code
update second_factor set last_step = $2 where user_id = $1 and last_step < $2

-- name: factor
select f.confirmed_at is not null as confirmed, f.kek, f.secret, f.last_step, u.generation
from second_factor f join app_user u on u.id = f.user_id where f.user_id = $1

-- A secret that was confirmed is replaced by nobody but whoever resets the person.
-- name: new_factor
insert into second_factor (user_id, tenant, kek, secret) values ($1, $2, $3, $4)
on conflict (user_id) do update set kek = excluded.kek, secret = excluded.secret where second_factor.confirmed_at is null

-- name: confirm_factor
update second_factor set confirmed_at = $2, last_step = $3 where user_id = $1 and confirmed_at is null and last_step < $3
