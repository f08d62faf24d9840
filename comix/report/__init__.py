"""The HTML report: one offline file that shows what a workspace holds, how it came about and what went wrong."""
