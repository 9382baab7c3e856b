"""Findings as comments of a review: on a pull request of GitHub, on a merge request of GitLab."""
