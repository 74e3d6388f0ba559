-- Past referrals that routing decided on, newest first; read-only.

-- name: decided
select id, state, sealed from referral where decision is not null order by created_at desc, id limit $1
