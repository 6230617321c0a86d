// The rules of retention as they are configured, in the words that the engine judges by.

import type { ClusterConfiguration } from '@spillway/contract';
import type { RetentionPolicy } from '@spillway/engine';

export const policyOf = (retention: ClusterConfiguration['retention'] | undefined): RetentionPolicy => ({
  minimumProven: retention?.minimum_proven ?? 1,
  keepCount: retention?.keep_count,
  keepDays: retention?.keep_days,
  keepDaily: retention?.keep_daily,
  keepWeekly: retention?.keep_weekly,
  keepMonthly: retention?.keep_monthly,
  keepYearly: retention?.keep_yearly,
  pointInTimeMs: retention?.point_in_time,
});
