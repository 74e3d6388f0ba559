-- name: try_lock
select pg_try_advisory_lock(7236503)

-- name: newly_due
select referral_id, kind from deadline
where due_at <= now() and sent_at is null and barrier is null
order by due_at limit 1000

-- name: set_barrier
update deadline d set barrier = $3::jsonb
from unnest($1::uuid[], $2::text[]) as due (referral_id, kind)
where d.referral_id = due.referral_id and d.kind = due.kind and d.barrier is null and d.sent_at is null

-- name: ready
select d.referral_id, d.kind, d.generation, d.due_at
from deadline d
where d.due_at <= now() and d.sent_at is null and d.barrier is not null
    and not exists (
        select from jsonb_each_text(d.barrier) b
        left join progress p on p.topic = $1 and p.partition = b.key::int
        where coalesce(p.next_offset, 0) < b.value::bigint)
order by d.due_at limit 1000

-- name: sent
update deadline d set sent_at = now()
from unnest($1::uuid[], $2::text[], $3::int[]) as done (referral_id, kind, generation)
where d.referral_id = done.referral_id and d.kind = done.kind and d.generation = done.generation
