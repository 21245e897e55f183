"""The words of giving tasks in the console: key → (Simplified Chinese, English)."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, tuple[str, str]] = {
    "tasks_none": ("没有未完成的待办。", "No open tasks."),
    "task_give": ("安排待办", "Give a task"),
    "task_for": ("由谁来做", "Who is to do it"),
    "task_what": ("做什么", "What to do"),
    "task_due": ("什么时候之前", "Due"),
    "task_ready": ("准备好要发的内容（可不填）", "What to send, ready (optional)"),
    "task_ready_text": ("文字", "Text"),
    "task_ready_text_hint": (
        "可用 {{customer}}、{{staff}}、{{company}}",
        "{{customer}}, {{staff}} and {{company}} are filled in",
    ),
    "task_ready_reply": ("团队话术", "A team’s reply"),
    "task_ready_material": ("团队素材", "A team’s material"),
    "task_ready_none": ("不用", "None"),
    "task_ready_how": (
        "员工在侧边栏一键发给客户；话术和素材列出最常用的 100 条。",
        "The rep sends it from the sidebar with one tap. The 100 most used replies and materials are listed.",
    ),
    "task_nobody": (
        "没有您权限内的员工看得到这位客户；请先分配负责人。",
        "No rep within your reach sees this contact. Assign an owner first.",
    ),
    "task_not_given": ("待办没有安排：", "The task was not given:"),
    "task_title_wrong": ("请填写 1-{n} 个字的待办内容", "Say in 1–{n} characters what is to be done"),
    "task_due_wrong": ("请选择现在以后、两年以内的时间", "Choose a time from now to two years ahead"),
    "task_content_gone": ("选的话术或素材已不在，请重新选择", "That reply or material is gone. Choose again"),
    "task_staff_wrong": (
        "请选择您权限内、看得到这位客户的在职员工",
        "Choose a rep within your reach who sees this contact",
    ),
    "done_task": (
        "待办已安排：会通知该员工，并出现在其侧边栏，到期时再提醒。",
        "Task given. The rep is told, finds it in the sidebar and is reminded when it is due.",
    ),
    "done_withdrawn": ("待办已撤回。", "Task withdrawn."),
    "task_withdraw": ("撤回", "Withdraw"),
    "task_withdraw_label": ("撤回待办「{title}」", "Withdraw the task “{title}”"),
    "deed_task:given": ("安排待办", "Gave a task"),
    "deed_task:withdrawn": ("撤回待办", "Withdrew a task"),
    # --- to many
    "bulk_task": ("安排待办", "Give tasks"),
    "bulk_do_task": ("安排待办…", "Give tasks…"),
    "bulk_each_owner": ("每位客户的负责人", "Each contact’s owner"),
    "bulk_will_task": (
        "将为 {n} 位客户各安排一个待办「{title}」，给{staff}，{due} 之前",
        "Give one task “{title}” for each of {n} {n|contact|contacts} to {staff}, due {due}",
    ),
    "bulk_doing_task": ("为 {n} 位客户安排待办", "Giving tasks for {n} {n|contact|contacts}"),
    "bulk_doing_withdraw": ("撤回 {n} 位客户的待办", "Withdrawing tasks of {n} {n|contact|contacts}"),
    "bulk_undo_task": (
        "撤回这 {n} 个待办中还没做的",
        "Withdraw those of the {n} {n|task that is|tasks that are} not done yet",
    ),
    "bulk_failed_task_no_owner": ("该客户没有负责人", "Nobody owns this contact"),
    "bulk_failed_task_rep_left": ("该员工已离职或停用", "The rep has left"),
    "bulk_failed_task_rep_out_of_reach": (
        "该客户的负责人不在您的权限内",
        "The owner is not within your reach",
    ),
    "bulk_failed_task_rep_unrelated": (
        "该员工看不到这位客户：既不是负责人，也没有加过好友",
        "The rep does not see this contact: neither owner nor ever connected",
    ),
    "job_give_tasks": ("批量安排待办", "Give tasks for many"),
    "job_withdraw_tasks": ("批量撤回待办", "Withdraw tasks of many"),
    "deed_bulk:task": ("批量安排待办", "Gave tasks for many"),
}
