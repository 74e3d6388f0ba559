-- Whoever writes the e-mail makes the token in the same moment: what stands here is its hash.
-- name: claim
update login_link l set token_sha256 = $1, expires_at = case when l.invited then $6::timestamptz else $3::timestamptz end, attempts = l.attempts + 1, next_at = $4
from app_user u
where u.id = l.user_id and u.active and l.id = (
    select d.id from login_link d
    where d.sent_at is null and d.user_id is not null and d.next_at <= $2 and d.attempts < $5
    order by d.next_at limit 1
    for update skip locked)
returning l.id, l.language, l.invited, u.email

-- name: sent
update login_link set sent_at = $2 where id = $1

-- name: purge
delete from login_link where asked_at < $1
