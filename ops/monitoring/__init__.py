"""What an operator watches: objectives as data, the alerts and the dashboard that follow, and the platform's own metrics."""
